"""
The admission server: AdmissionReview in, Decision out.

An application: never in the wheel, copied into an image beside it. Nothing here decides; what is
here knows HTTP, TLS, processes and how Kubernetes wants its answer.
"""
