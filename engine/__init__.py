"""Runs BPMN processes: definitions, execution, store and services. The only package that knows SpiffWorkflow."""
