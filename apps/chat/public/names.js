// Made from notebooks/04_chainlit.ipynb by: python lab.py export
// Chainlit 2.12 leaves its buttons with a picture only without a name: six times on an empty page, a screen reader says "button".
const NAMES = {
  "#sidebar-trigger-button": ["Past chats", "Tidigare samtal"],
  "#search-chats-button": ["Search past chats", "Sök bland samtalen"],
  "#new-chat-button": ["New chat", "Nytt samtal"],
  "#chat-profiles": ["Profile", "Profil"],
  "#chat-settings-open-modal": ["Settings", "Inställningar"],
  "#chat-submit": ["Send", "Skicka"],
  "#stop-button": ["Stop", "Stoppa"],
  "#thread-options": ["More about this chat", "Mer om samtalet"],
  ".edit-message": ["Edit this question", "Ändra frågan"],
  "button:has(> .lucide-copy)": ["Copy", "Kopiera"],
  "button:has(> .lucide-thumbs-up)": ["Helpful", "Till hjälp"],
  "button:has(> .lucide-thumbs-down)": ["Not helpful", "Inte till hjälp"],
  "button:has(> .lucide-arrow-down)": ["To the newest message", "Till det senaste"],
  "#temperature [role=slider]": ["Temperature", "Temperatur"],
};
const ROLES = { "#thread-options": "button", "ul:has(> #thread-history)": "group" };
const language = navigator.language.startsWith("sv") ? 1 : 0;

function name() {
  for (const [selector, names] of Object.entries(NAMES))
    for (const element of document.querySelectorAll(`${selector}:not([aria-label])`))
      element.setAttribute("aria-label", names[language]);
  for (const [selector, role] of Object.entries(ROLES))
    for (const element of document.querySelectorAll(`${selector}:not([role=${role}])`)) element.setAttribute("role", role);
}

// Called once for all the changes of a moment, before they are painted.
new MutationObserver(name).observe(document.documentElement, { childList: true, subtree: true });
