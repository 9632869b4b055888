"""The addresses of the pages and of the API of this app."""

from django.urls import URLPattern

pages: list[URLPattern] = []
v1: list[URLPattern] = []
