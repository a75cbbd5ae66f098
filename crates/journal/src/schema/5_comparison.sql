-- What names an arrangement of arms: their names, checkpoints and shares, and the unit of randomisation.
ALTER TABLE suggestion ADD COLUMN comparison TEXT;
