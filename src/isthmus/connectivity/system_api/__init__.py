"""What each role can be asked to do: typed operations, vendor unknown."""
