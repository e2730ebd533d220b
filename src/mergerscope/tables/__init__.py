"""Tables that others wrote, in any format of theirs, and the positions in them."""
