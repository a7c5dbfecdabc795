/** Ids of all commands that the extension adds. */
export const CommandIDs = {
  showDetails: 'despejado:show-environment',
  saveAndExit: 'despejado:save-and-exit',
  saveExitAndLogOut: 'despejado:save-exit-and-log-out',
  exitWithoutSaving: 'despejado:exit-without-saving',
  startBigger: 'despejado:start-bigger-lab',
  openTutorial: 'despejado:open-tutorial',
  refreshTutorials: 'despejado:refresh-tutorials'
} as const;

/** For commands without arguments: what JupyterLab shows to programs that call commands. */
export const NO_ARGUMENTS = {
  args: { type: 'object', properties: {}, additionalProperties: false }
} as const;
