// Inhibition: an alarm of a resource keeps those of the resources beneath it from being told.

/** How far up the tree is looked. */
const MOST_DEPTH = 64

/**
 * SQL: is something wrong above a resource?
 * @param resourceId the column with its id
 */
export const inhibited = (resourceId: string): string => `EXISTS (
    WITH RECURSIVE up AS (
      SELECT parent_id AS id, 1 AS depth FROM resources WHERE id = ${resourceId}
      UNION ALL SELECT r.parent_id, depth + 1 FROM resources r JOIN up ON r.id = up.id WHERE depth < ${MOST_DEPTH})
    SELECT 1 FROM alarms p JOIN up ON p.resource_id = up.id
    WHERE p.state IN ('open', 'reopened', 'acknowledged', 'silenced'))`
