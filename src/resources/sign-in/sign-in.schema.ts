import { z } from 'zod';

/** Kazoo's schema `api_auth`. */
export const apiAuthBody = z
  .strictObject({
    api_key: z.string().min(64).max(64).meta({ description: 'API key of the account, 64 hex' }),
  })
  .meta({ description: 'Provides auth via an API key' });

/** Kazoo's schema `user_auth`. */
export const userAuthBody = z
  .looseObject({
    credentials: z
      .string()
      .min(1)
      .max(64)
      .meta({ description: 'md5 or sha1 of `user:password`, lower-case hex' }),
    method: z.enum(['md5', 'sha']).default('md5'),
    account_name: z.string().min(1).max(128).optional(),
    account_realm: z.string().min(4).max(253).optional(),
    realm: z.string().min(4).max(253).optional(),
    phone_number: z.string().min(1).max(64).optional(),
  })
  .meta({ description: 'Provides auth via user name and password' });

const signedInShape = {
  account_id: z.string(),
  owner_id: z.string().optional().meta({ description: 'The user; absent for an API key' }),
  account_name: z.string(),
  language: z.string(),
  apps: z.array(z.unknown()),
  cluster_id: z.string(),
  reseller_id: z.string().optional(),
  is_reseller: z.boolean(),
  is_master_account: z.boolean(),
  capabilities: z.record(z.string(), z.unknown()),
  ui_config: z.record(z.string(), z.unknown()),
};

/** What a sign-in shows; the token is the envelope's `auth_token`. */
export const signedIn = z.strictObject(signedInShape);

/** What a token says and whom it stands for. */
export const tokenAnswer = z.strictObject({
  ...signedInShape,
  id: z.string(),
  method: z.string(),
  iss: z.literal('kazoo'),
  exp: z.int().meta({ description: 'Unix seconds' }),
  identity_sig: z.string(),
});

export const tokenParams = z.object({ auth_token: z.string() });
