using System.Diagnostics;
using System.Diagnostics.Tracing;
using KeycloakCreditBridge.Tests.Faults;

/// <summary>The runtime of a bridge under test calls this before the bridge's own code, see <see cref="KillPoint"/>.</summary>
internal static class StartupHook
{
    private static Killer? _killer;

    public static void Initialize()
    {
        if (Environment.GetEnvironmentVariable(KillPoint.Variable)?.Split(':') is not [var step, .. var times])
            return;
        _killer = new Killer(KillPoint.Statements[step], step == KillPoint.Saved, times is [var time] ? int.Parse(time) : 1);
        _killer.Begin();
    }

    /// <summary>Kills the process at the n-th statement of a kind: before PostgreSQL gets it, or after PostgreSQL committed it.</summary>
    private sealed class Killer(string statement, bool isKilledAfterwards, int times) : EventListener
    {
        private const int CommandStart = 3;

        private int _left = times;

        public void Begin()
        {
            if (!isKilledAfterwards)
            {
                EventSourceCreated += (_, created) => Enable(created.EventSource);
                return;
            }

            ActivitySource.AddActivityListener(new ActivityListener
            {
                ShouldListenTo = source => source.Name == "Npgsql",
                Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllData,
                ActivityStopped = activity => Reach(activity.GetTagItem("db.query.text") as string),
            });
        }

        protected override void OnEventWritten(EventWrittenEventArgs eventData)
        {
            if (eventData.EventId == CommandStart)
                Reach(eventData.Payload?[0] as string);
        }

        private void Enable(EventSource? source)
        {
            if (source?.Name == "Npgsql.Sql")
                EnableEvents(source, EventLevel.Informational);
        }

        private void Reach(string? sql)
        {
            if (sql is null)
                return;
            var line = string.Join(' ', sql.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries));
            if (line.Contains(statement, StringComparison.Ordinal) && Interlocked.Decrement(ref _left) == 0)
                Process.GetCurrentProcess().Kill();
        }
    }
}
