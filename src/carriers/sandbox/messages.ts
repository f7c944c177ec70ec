/** What the process of a sandbox tells the one that has started it. */
export type SandboxMessage =
  | { readonly type: 'ready'; readonly url: string; readonly isPortAsWanted: boolean }
  | { readonly type: 'failed'; readonly message: string };
