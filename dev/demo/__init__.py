"""The main job, shown: one release walked through by the real `pulumi` while users keep coming."""
