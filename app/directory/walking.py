"""How long the way to a haven takes on foot, as it is estimated.

Minutes are metres, by the distance on the sphere, times the operator's walking factor, at
`METRES_A_MINUTE`, rounded up. An estimate that errs must err late: `WALKING_FACTOR` is the median,
measured over real streets, of the way to the nearest haven by its distance.
"""

METRES_A_MINUTE = 80
