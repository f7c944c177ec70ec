import { z } from 'zod';
import { InvalidError, type Issue } from '../../core/errors.js';
import { validate } from '../../core/validation.js';
import { pageQuery } from '../../surfaces/crossbar/paging.js';
import { faultOfApiUrl } from './clusters.address.js';
import type { ClusterFields } from './clusters.service.js';

const hexId = z.string().regex(/^[0-9a-f]{32}$/);

export const clusterParams = z.object({
  cluster_id: hexId.meta({ description: 'Cluster ID, 32 lower-case hex' }),
});

export const clusterQuery = pageQuery;

const mvnoId = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$/);

/** A new cluster. Nothing else is taken: a key under a wrong name would be stored in clear. */
export const clusterBody = z
  .strictObject({
    id: hexId.optional().meta({ description: 'The id in the path' }),
    mvno_id: mvnoId.meta({ description: 'The MVNO it belongs to' }),
    api_url: z
      .string()
      .min(1)
      .max(2048)
      .meta({ description: 'Where its Crossbar is, without /v2: http or https' }),
    api_key: z
      .string()
      .regex(/^[\x21-\x7e]{1,512}$/)
      .meta({ description: 'The API key of its master account; it is kept and shown sealed' }),
    hosted_billing_account_id: hexId.optional().meta({ description: 'The account billed for it' }),
  })
  .meta({ description: 'A Kazoo cluster' });

export const clusterAnswer = z.strictObject({
  id: z.string(),
  mvno_id: z.string(),
  api_url: z.string(),
  api_key: z.string().meta({ description: 'Sealed' }),
  hosted_billing_account_id: z.string().optional(),
});

export const clustersAnswer = z.array(clusterAnswer);

/** What only the composition root knows about a new cluster. */
export interface ClusterRules {
  readonly allowsPrivate: boolean;
  readonly mvnoExists: (mvnoId: string) => Promise<boolean>;
  /** Whether a text is one that we have sealed. */
  readonly isSealed: (text: string) => boolean;
}

function issue(field: string, rule: string, message: string): Issue {
  return { path: [field], rule, message };
}

/** Faults of a body by its schema; a fault in what holds the key, or may, says no value. */
function shapeIssues(data: unknown): readonly Issue[] {
  try {
    validate(clusterBody, data);
    return [];
  } catch (error) {
    if (!(error instanceof InvalidError)) throw error;
    return error.issues.map(({ path, rule, message, details }) => {
      const isSafe = ['id', 'mvno_id', 'hosted_billing_account_id'].includes(String(path[0]));
      return { path, rule, message, ...(isSafe && details !== undefined ? { details } : {}) };
    });
  }
}

/** Reads a new cluster; every fault at once, and none of them quotes the key. */
export async function readCluster(
  id: string,
  data: unknown,
  rules: ClusterRules,
): Promise<ClusterFields> {
  const issues = [...shapeIssues(data)];
  const given = typeof data === 'object' && data !== null ? (data as Record<string, unknown>) : {};
  const isSound = (field: string) => !issues.some(({ path }) => path[0] === field);
  const text = (field: string) => {
    const value = given[field];
    return isSound(field) && typeof value === 'string' ? value : undefined;
  };
  const [apiUrl, apiKey, mvno] = [text('api_url'), text('api_key'), text('mvno_id')];
  const bodyId = text('id');
  if (bodyId !== undefined && bodyId !== id) {
    issues.push(issue('id', 'invalid', 'must be the id in the path'));
  }
  const fault = apiUrl === undefined ? undefined : faultOfApiUrl(apiUrl, rules.allowsPrivate);
  if (fault !== undefined) issues.push(issue('api_url', 'invalid', fault));
  if (apiKey !== undefined && rules.isSealed(apiKey)) {
    issues.push(issue('api_key', 'invalid', 'is a sealed text; send the key itself'));
  }
  if (mvno !== undefined && !(await rules.mvnoExists(mvno))) {
    const message = 'there is no such MVNO';
    issues.push({ ...issue('mvno_id', 'invalid', message), details: { value: mvno } });
  }
  if (issues.length > 0) throw new InvalidError(issues);
  const fields = validate(clusterBody, data);
  return {
    mvnoId: fields.mvno_id,
    apiUrl: fields.api_url,
    apiKey: fields.api_key,
    hostedBillingAccountId: fields.hosted_billing_account_id,
  };
}
