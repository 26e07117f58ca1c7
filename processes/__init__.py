"""The processes that travel with the program. Analysts edit them with a BPMN modeler and a text editor."""
