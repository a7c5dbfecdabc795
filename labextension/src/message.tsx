import React from 'react';

/** Body of a dialog: a sentence, a list, a closing sentence and details to copy. */
export function Message(props: {
  lead?: string;
  items?: readonly string[];
  end?: string;
  details?: string;
}): React.ReactElement {
  return (
    <div className="dpj-Message">
      {props.lead && <p>{props.lead}</p>}
      {props.items && props.items.length > 0 && (
        <ul>
          {props.items.map(item => (
            <li key={item}>{item}</li>
          ))}
        </ul>
      )}
      {props.end && <p>{props.end}</p>}
      {props.details && <pre tabIndex={0}>{props.details}</pre>}
    </div>
  );
}
