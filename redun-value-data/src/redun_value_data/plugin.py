"""x"""

redun_api = 1
