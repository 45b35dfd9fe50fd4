"""Prompt injections and benign alarms: what the screening, the compiler and the tools are measured on."""
