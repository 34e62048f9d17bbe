"""The demo: four stand-ins and Isthmus on one machine, a day's deals with faults, and a proof from the books."""
