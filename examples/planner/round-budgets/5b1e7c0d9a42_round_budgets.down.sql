-- What was cut off is gone: this is no inverse, and so a restore point or a ROLLBACK is what undoes it.
SELECT 1;
