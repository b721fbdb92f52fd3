FROM python:3.13.14-slim

ENV PYTHONUNBUFFERED=1 \
    HAVENS_DATA_DIR=/data

RUN useradd --user-group --uid 10001 --no-create-home --shell /usr/sbin/nologin havens \
    && install --directory --owner havens --group havens /data

WORKDIR /srv/havens

# Before the code, so that a change to the code alone reuses this layer.
COPY requirements.lock ./
RUN pip install --no-cache-dir --require-hashes --only-binary :all: --requirement requirements.lock

COPY . .
# Compiled here, for where it runs it may write nothing beside the code.
RUN pip install --no-cache-dir --no-deps --no-build-isolation --editable . \
    && python -m compileall -q app

# By number, so that an orchestrator can see that it isn't root.
USER 10001
VOLUME /data
EXPOSE 8000
# Past any proxy in the environment.
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s \
    CMD ["python", "-c", "from urllib.request import *; build_opener(ProxyHandler({})).open('http://127.0.0.1:8000/health/live')"]
CMD ["havens", "serve", "--host", "0.0.0.0"]
