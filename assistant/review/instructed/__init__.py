"""What a chat model that the user configured adds to a review: comments of its own, each checked before it is shown.

Nothing here runs without such a model. `advise` is the door.
"""
