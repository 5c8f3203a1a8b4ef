"""Print the tags in the database of this example, but for those that redun makes for itself."""

import sqlite3

QUERY = """
    SELECT entity_type, key, value, count(*) FROM tag
    WHERE is_current AND key NOT LIKE 'redun.%' AND key NOT LIKE 'git%' AND key <> 'user'
    GROUP BY entity_type, key, value ORDER BY entity_type, key, value
"""

connection = sqlite3.connect(".redun/redun.db")
for entity, key, value, number in connection.execute(QUERY):
    print(f"{number} {entity:9}  {key} = {value}")
connection.close()
