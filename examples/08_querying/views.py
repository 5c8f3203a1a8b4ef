"""Ask the views with SQL: who made and who read each file, and how long each task took."""

import sqlite3

LINEAGE = "SELECT path, role, task_name FROM v_file_lineage ORDER BY path, role, task_name"
TASKS = "SELECT task_name, status, count(*) FROM v_job GROUP BY task_name, status ORDER BY task_name, status"

connection = sqlite3.connect(".redun/redun.db")
for path, role, task in connection.execute(LINEAGE):
    print(f"{path:15} {role} by {task}")
for task, status, count in connection.execute(TASKS):
    print(f"{task:20} {status:7} {count}")
connection.close()
