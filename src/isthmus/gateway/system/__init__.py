"""System APIs: each role's objects, read, searched, created and updated, whatever vendor fills the role."""
