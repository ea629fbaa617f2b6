"""The command line: one file a command. Heavy modules are imported where a command needs them."""
