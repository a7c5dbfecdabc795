/** The hub's page that starts a lab, with options (JupyterHub's `opt-` parameters). */
export function spawnLink(
  spawnUrl: string,
  image: string | null,
  size: string
): string {
  const options = new URLSearchParams();
  // Without it the hub takes its default, not what this lab has.
  if (image !== null) {
    options.set('opt-image', image);
  }
  options.set('opt-size', size);
  return `${spawnUrl}?${options.toString()}`;
}
