"""The commands of `run-process`: parse, call a service, render. One module per noun, loaded when its command runs."""
