"""Founders: who they are and how they log in.

`models` tables · `identifiers` phones and e-mails in one form · `phones` which take SMS ·
`otp` pure rules of login codes · `limits` how many of them ·
`queries` SQL · `login` code out, code in · `sessions` cookies · `service` the person
"""
