"""Case to credit: a disputed invoice is looked into, decided, credited to the cent, and the customer told."""
