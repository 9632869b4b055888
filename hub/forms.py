"""What all forms share: their inputs, and refusals beside the field that they are about."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from django import forms
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from hub.configuration import identifiers
from hub.phrases import Phrase
from hub.spelling import spelt

LONGEST_TEXT = 20_000

if TYPE_CHECKING:
    Chooser = forms.ModelChoiceField[Any]
    ManyChooser = forms.ModelMultipleChoiceField[Any]
else:
    Chooser = forms.ModelChoiceField
    ManyChooser = forms.ModelMultipleChoiceField


class Form(forms.Form):
    """A form whose inputs are named after ``key``, so that several can stand on one page."""

    def __init__(self, *args: Any, key: str = "form", **kwargs: Any) -> None:
        kwargs.setdefault("auto_id", f"{key}-%s")
        kwargs["label_suffix"] = ""
        super().__init__(*args, **kwargs)
        self.key = key

    def put(self, errors: Mapping[str, Any]) -> None:
        """Put what a serializer refused beside the fields of the same names."""
        self.refuse(f"{name}: {one}" for name, found in errors.items() for one in _flat(found))

    def refuse(self, sentences: Iterable[Any]) -> None:
        """Put each sentence beside the field that it begins with, or above the form."""
        for sentence in (spelt(str(one)) for one in sentences):
            name, _colon, rule = sentence.partition(": ")
            if name in self.fields and rule:
                self.add_error(name, rule[:1].upper() + rule[1:])
            else:
                self.add_error(None, sentence)


def _flat(found: Any) -> list[Any]:
    """The sentences of errors that may lie in lists and in fields below."""
    if isinstance(found, Mapping):
        return [one for below in found.values() for one in _flat(below)]
    if isinstance(found, list):
        return [one for below in found for one in _flat(below)]
    return [found]


def told(refused: Exception) -> list[str | Phrase]:
    """The sentences of what a verb raised."""
    reasons: Any = getattr(refused, "reasons", None)
    if reasons is not None:
        return list(reasons)
    problems: Any = getattr(refused, "problems", None)
    if problems is not None:
        return [f"{field}: {rule}" for field, rule in problems]
    field: str = getattr(refused, "field", "")
    return [f"{field}: {refused}" if field else str(refused)]


def spoken(sentence: str, form: type[forms.Form]) -> str:
    """A sentence that begins with the name of a field of the form, with its label instead.

    A name that only the API knows is left out.
    """
    name, colon, rule = sentence.partition(": ")
    field = form.base_fields.get(name)
    if field is not None:
        return f"{field.label}{colon}{rule}"
    is_name = bool(rule) and name.isascii() and name.isidentifier() and name.islower()
    return f"{rule[:1].upper()}{rule[1:]}" if is_name else sentence


def words(label: Any, *, most: int = 300, needed: bool = True, says: Any = "") -> forms.CharField:
    """One line of text."""
    return forms.CharField(
        label=label, max_length=most, required=needed, help_text=says, validators=[_one_line]
    )


def text(
    label: Any, *, needed: bool = True, rows: int = 3, says: Any = "", most: int = LONGEST_TEXT
) -> forms.CharField:
    """Paragraphs."""
    return _Paragraphs(
        label=label, max_length=most, required=needed, help_text=says,
        widget=forms.Textarea(attrs={"rows": rows}), validators=[_paragraphs],
    )  # fmt: skip


class _Paragraphs(forms.CharField):
    """Ends lines as a set-up file does, whatever a browser sends."""

    def to_python(self, value: Any) -> Any:
        """The text with plain ends of lines."""
        text = super().to_python(value)
        return text.replace("\r\n", "\n") if isinstance(text, str) else text


def _one_line(text: str) -> None:
    _demand(identifiers.one_line(text))


def _paragraphs(text: str) -> None:
    _demand(identifiers.paragraphs(text))


def _demand(what: str) -> None:
    if what:
        raise forms.ValidationError(gettext("expected %(what)s") % {"what": what})


def code(label: Any, *, most: int = 40, says: Any = "") -> forms.SlugField:
    """A code: letters, digits, hyphen."""
    return forms.SlugField(label=label, max_length=most, help_text=says)


def whole(label: Any, *, most: int = 1000, needed: bool = False, least: int = 1) -> Any:
    """A whole number."""
    return forms.IntegerField(label=label, min_value=least, max_value=most, required=needed)


def day(label: Any, *, needed: bool = False, says: Any = "") -> forms.DateField:
    """A day."""
    widget = forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"})
    return forms.DateField(label=label, required=needed, widget=widget, help_text=says)


def choice(label: Any, options: Any, *, needed: bool = True, says: Any = "") -> forms.ChoiceField:
    """One of a few; with an empty one before them where it may be left out."""
    shown = list(options) if needed else [("", "–"), *options]
    return forms.ChoiceField(label=label, choices=shown, required=needed, help_text=says)


def row(label: Any, *, needed: bool = True, key: str = "code", says: Any = "") -> Any:
    """One of the rows that the form gets its queryset for when it is made."""
    return _RowField(
        queryset=None, to_field_name=key, label=label, required=needed, help_text=says,
        empty_label=None if needed else "–",
    )  # fmt: skip


def rows(label: Any, *, needed: bool = True, key: str = "code", says: Any = "") -> Any:
    """Any number of the rows that the form gets its queryset for when it is made."""
    return _RowsField(
        queryset=None, to_field_name=key, label=label, required=needed, help_text=says
    )


class _RowField(Chooser):
    """Rows by their names, as people know them."""

    def label_from_instance(self, obj: Any) -> str:
        return str(getattr(obj, "name", "") or getattr(obj, "title", "") or obj)


class _RowsField(ManyChooser):
    """Some rows by their names."""

    def label_from_instance(self, obj: Any) -> str:
        return str(getattr(obj, "name", "") or getattr(obj, "title", "") or obj)


def revision() -> forms.CharField:
    """What the person has seen of what is changed; it goes along unseen."""
    return forms.CharField(max_length=64, required=False, widget=forms.HiddenInput)


def flag(label: Any, *, says: Any = "") -> forms.BooleanField:
    """Yes, or left out."""
    return forms.BooleanField(label=label, required=False, help_text=says)


def share(
    label: Any, *, least: float = 0, says: Any = "", initial: float | None = None
) -> forms.FloatField:
    """A part of one, such as 0.92, written as people of the language write it."""
    return forms.FloatField(
        label=label, min_value=least, max_value=1, localize=True, help_text=says, initial=initial,
        widget=forms.TextInput(attrs={"inputmode": "decimal"}),
    )  # fmt: skip


def set_rows(form: forms.Form, name: str, rows: Any) -> None:
    """Say which rows a field chooses among."""
    field: Any = form.fields[name]
    field.queryset = rows


def set_choices(form: forms.Form, name: str, options: list[tuple[str, str]]) -> None:
    """Say what a field chooses among, an empty choice first."""
    field: Any = form.fields[name]
    field.choices = [("", "–"), *options]


WHY = _("Why")
