-- Up to when a stream is loaded: an old slice loaded today makes nothing fresh.
select max(least(slice_end, committed_at)) from ops.loads where source = '{source}' and stream = '{stream}'
