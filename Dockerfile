# Two images: `datastack` runs Airflow, `demo` runs and fills the demo source systems.
#
#   docker build --target datastack -t datastack/airflow:local .

# The slim image: the regular one brings dozens of providers, pinned for one another and not for us.
FROM apache/airflow:slim-3.3.2-python3.12 AS base

USER root
RUN install -d -o airflow -g 0 -m 0755 /opt/datastack \
    && install -d -o airflow -g 0 -m 0700 /var/lib/datastack
USER airflow
WORKDIR /opt/datastack

# The image's entrypoint would wait for Airflow's database with a command of seconds; the start order sees to it.
ENV CONNECTION_CHECK_MAX_COUNT=0 \
    PYTHONUNBUFFERED=1 \
    PYTHONPATH=/opt/datastack:/opt/datastack/plugins:/opt/datastack/local/airflow_config

COPY --chown=airflow:0 requirements.txt constraints.txt ./
RUN pip install --no-cache-dir --compile -c constraints.txt -r requirements.txt


FROM base AS datastack

COPY --chown=airflow:0 include/ include/
# Of local/, what Airflow itself is configured to import.
COPY --chown=airflow:0 local/airflow_config/ local/airflow_config/
COPY --chown=airflow:0 local/__init__.py local/lineage_file.py local/
COPY --chown=airflow:0 plugins/ plugins/
COPY --chown=airflow:0 dags/ dags/
# The DAGs are made from dbt's manifest. Parsing needs no warehouse.
RUN python -m compileall -q dags local plugins \
    && python -m datastack compile \
    && python -m datastack manifest


FROM base AS demo

COPY --chown=airflow:0 local/requirements.txt local/
RUN pip install --no-cache-dir --compile -c constraints.txt -r local/requirements.txt

COPY --chown=airflow:0 include/sql/ include/sql/
COPY --chown=airflow:0 local/ local/
RUN python -m compileall -q local
