using KeycloakCreditBridge.Hosting.Schedule;
using Microsoft.Extensions.Logging;
using Npgsql;
using Quartz;

namespace KeycloakCreditBridge.Tests.Hosting.Schedule;

public sealed class QuartzLogsTests
{
    [Fact]
    public void An_outage_of_PostgreSQL_is_one_line_a_minute_and_any_other_error_stays()
    {
        using var lines = new LogLines();
        using var factory = LoggerFactory.Create(builder => builder.AddProvider(lines));
        var clock = new ManualTimeProvider();
        using var logs = new QuartzLogs(factory, clock);
        var logger = logs.CreateLogger("Quartz");
        var outage = new JobPersistenceException("Couldn't acquire next trigger", new NpgsqlException("Failed to connect"));

        for (var attempt = 0; attempt < 15; attempt++)
            logger.Log(LogLevel.Error, 0, "scanning for the next triggers", outage, (text, _) => text);
        logger.Log(LogLevel.Error, 0, "Job failed.", new InvalidOperationException("broken"), (text, _) => text);
        clock.Advance(TimeSpan.FromMinutes(1));
        logger.Log(LogLevel.Error, 0, "scanning for the next triggers", outage, (text, _) => text);

        Assert.Equal(2, lines.All.Count(line => line.Contains("The schedule waits for PostgreSQL", StringComparison.Ordinal)));
        Assert.Single(lines.All, line => line.Contains("Job failed.", StringComparison.Ordinal));
        Assert.DoesNotContain(lines.All, line => line.Contains("scanning for the next triggers", StringComparison.Ordinal));
    }
}
