import type { JupyterFrontEnd } from '@jupyterlab/application';
import type { IDocumentManager } from '@jupyterlab/docmanager';
import type { DocumentRegistry } from '@jupyterlab/docregistry';

/** Areas of JupyterLab's shell that hold documents. */
const AREAS = ['main', 'left', 'right', 'down'];

export interface ISaveFailure {
  path: string;
  reason: string;
}

/** Open documents with changes that are not on disk, each once. */
export function changedDocuments(
  shell: JupyterFrontEnd.IShell,
  manager: IDocumentManager
): DocumentRegistry.Context[] {
  const contexts = new Set<DocumentRegistry.Context>();
  for (const area of AREAS) {
    for (const widget of shell.widgets(area)) {
      const context = manager.contextForWidget(widget);
      if (context?.model.dirty) {
        contexts.add(context);
      }
    }
  }
  return [...contexts];
}

function isWritable(context: DocumentRegistry.Context): boolean {
  return !context.model.readOnly && context.contentsModel?.writable !== false;
}

async function save(
  context: DocumentRegistry.Context,
  readOnly: string
): Promise<string | null> {
  if (!isWritable(context)) {
    return readOnly;
  }
  try {
    await context.save();
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
  return null;
}

/**
 * Save one after the other, so that questions about conflicts come in order.
 *
 * @param readOnly - the reason to name for a document that may not be written
 * @returns the documents that are still not on disk
 */
export async function saveDocuments(
  contexts: DocumentRegistry.Context[],
  readOnly: string
): Promise<ISaveFailure[]> {
  const failures: ISaveFailure[] = [];
  for (const context of contexts) {
    const reason = await save(context, readOnly);
    if (reason !== null) {
      failures.push({ path: context.path, reason });
    }
  }
  return failures;
}
