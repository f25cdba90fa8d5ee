"""What Prefect is told, on one machine as beyond it.

`prefect_file`  `prefect.yaml`: its variables, and which of its schedules are wanted
"""
