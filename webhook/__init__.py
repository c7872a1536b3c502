"""The admission server: AdmissionReview in, Decision out. An application, never in the wheel."""
