"""The rules inside `pulumi up`: an update is refused here, colors are waited for, a switch is checked again."""
