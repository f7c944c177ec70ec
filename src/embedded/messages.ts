/** What the starter tells the store's process. Sent over IPC, so the password is in no listing. */
export interface StartMessage {
  readonly type: 'start';
  readonly dataDir: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  /** How long a function of a design document may take for one chunk of work, milliseconds. */
  readonly functionTimeoutMs: number;
}

/** What the store's process answers. */
export type StoreMessage =
  | { readonly type: 'ready'; readonly port: number }
  | { readonly type: 'failed'; readonly message: string };
