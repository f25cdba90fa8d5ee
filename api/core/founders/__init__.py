"""Founders: who they are and how they log in.

`models` tables · `identifiers` phones and e-mails in one form · `otp` pure rules of login codes ·
`queries` SQL · `login` code out, code in · `sessions` cookies · `service` the person
"""
