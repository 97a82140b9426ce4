"""The command line after `:`: words and places."""
