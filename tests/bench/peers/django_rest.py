"""Django REST framework and PostGIS, under gunicorn.

GeoDjango would need GDAL from the system, so the way to the index is written in SQL.
"""

import os
from datetime import UTC, datetime

import django
from django.conf import settings

settings.configure(
    ALLOWED_HOSTS=["*"],
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": "bench",
            "USER": "postgres",
            "HOST": os.environ["BENCH_HOST"],
            "CONN_MAX_AGE": None,
        }
    },
    INSTALLED_APPS=["rest_framework"],
    REST_FRAMEWORK={
        "DEFAULT_AUTHENTICATION_CLASSES": [],
        "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
        "UNAUTHENTICATED_USER": None,
    },
    ROOT_URLCONF=__name__,
    SECRET_KEY="nothing here is secret",
    TIME_ZONE="UTC",
    USE_TZ=True,
)
django.setup()

from django.contrib.postgres.fields import ArrayField  # noqa: E402  once it is set up
from django.core.wsgi import get_wsgi_application  # noqa: E402
from django.db import models  # noqa: E402
from django.db.models.expressions import RawSQL  # noqa: E402
from django.urls import path  # noqa: E402
from rest_framework import serializers  # noqa: E402
from rest_framework.request import Request  # noqa: E402
from rest_framework.response import Response  # noqa: E402
from rest_framework.views import APIView  # noqa: E402


class Haven(models.Model):
    id = models.UUIDField(primary_key=True)
    name = models.TextField()
    category = models.TextField()
    notice = models.TextField()
    address = models.TextField()
    postcode = models.TextField()
    lat = models.FloatField()
    lon = models.FloatField()
    opening_hours = models.TextField()
    phone = models.TextField()
    entrance = models.TextField()
    facilities = ArrayField(models.TextField())
    step_free = models.TextField()
    schemes = models.JSONField()
    directions_url = models.TextField()
    open_until = models.DateTimeField(null=True)

    class Meta:
        app_label = "peers"
        db_table = "haven"
        managed = False


class Question(serializers.Serializer):
    lat = serializers.FloatField(min_value=-90, max_value=90)
    lon = serializers.FloatField(min_value=-180, max_value=180)
    limit = serializers.IntegerField(min_value=1, max_value=50, default=5)


class Found(serializers.ModelSerializer):
    distance_m = serializers.IntegerField()

    class Meta:
        model = Haven
        fields = "__all__"


class Nearest(APIView):
    def get(self, request: Request) -> Response:
        asked = Question(data=request.query_params)
        asked.is_valid(raise_exception=True)
        where = asked.validated_data
        metres = RawSQL(
            "location <-> ST_MakePoint(%s, %s)::geography", (where["lon"], where["lat"])
        )
        at = datetime.now(UTC)
        havens = (
            Haven.objects.filter(open_until__gt=at)
            .annotate(distance_m=metres)
            .order_by("distance_m")[: where["limit"]]
        )
        return Response({"at": at, "havens": Found(havens, many=True).data})


urlpatterns = [path("v1/havens/nearest", Nearest.as_view())]
app = get_wsgi_application()
