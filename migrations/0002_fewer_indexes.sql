-- The audit log (`storage.projections.audit`) answers these questions, from indexes of its own. Kept twice, they made
-- the file larger by a tenth, and an append and a check of it slower.

DROP INDEX event_actor;
DROP INDEX event_target;
DROP INDEX event_outcome;
DROP INDEX event_session;
DROP INDEX event_src;
