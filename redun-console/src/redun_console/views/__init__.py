"""What each screen shows, as frozen data, and the questions to the store that find it.

Every question is answered by a bounded number of short walks along indexes, as `redun_backend_sql.query` does it.
"""
