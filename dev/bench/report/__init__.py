"""From results to pages: the table, the pictures, and the places that show them."""
