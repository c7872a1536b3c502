"""
From the policies of other gates to ours: reading, and what is made of it.

Here may live what knows a foreign format. Nothing here writes a file, loads a policy set or decides.
A rule that would let more in than its source is not translated: it is listed, and what stands in its
place is met by nothing.
"""
