"""A partner's back end in front of FirstUser. Read it in this order:

`settings`    what it needs to know, from the environment
`sessions`    who sits in front of which browser; kept here, never in the browser
`firstuser`   the calls to FirstUser's integration API
`presence`    the heartbeat: who is in right now, and who has left
`webhooks`    whether a message is really FirstUser's, and whether it was here before
`pages`       the few pages, and what a browser may load on them
`app`         the routes
"""
