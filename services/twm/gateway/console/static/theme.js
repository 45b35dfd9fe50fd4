"use strict";(()=>{try{let t=localStorage.getItem("twm-theme");(t==="light"||t==="dark")&&(document.documentElement.dataset.theme=t)}catch{}})();
