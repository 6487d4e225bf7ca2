// Without this script every table still reads; a click on a heading sorts its column, numbers by their full value.
document.querySelectorAll("th button").forEach(function (button) {
  button.addEventListener("click", function () {
    var heading = button.parentNode, column = heading.cellIndex, body = heading.closest("table").tBodies[0];
    var down = heading.getAttribute("aria-sort") === "ascending";
    heading.parentNode.querySelectorAll("th").forEach(function (other) { other.removeAttribute("aria-sort"); });
    heading.setAttribute("aria-sort", down ? "descending" : "ascending");
    function key(row) {
      var cell = row.cells[column], value = parseFloat(cell.dataset.value);
      return cell.dataset.value === undefined ? cell.textContent : isNaN(value) ? Infinity : value;
    }
    Array.from(body.rows).sort(function (a, b) {
      var x = key(a), y = key(b);
      return ((x > y) - (x < y)) * (down ? -1 : 1);
    }).forEach(function (row) { body.appendChild(row); });
  });
});
