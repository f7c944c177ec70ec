/** Kazoo's private fields: `_…` and `pvt_…`, at the top level only (kazoo-crossbar §3.1). */
export function isPrivateField(name: string): boolean {
  return name.startsWith('_') || name.startsWith('pvt_');
}
