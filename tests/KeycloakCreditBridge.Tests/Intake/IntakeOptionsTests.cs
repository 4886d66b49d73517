using KeycloakCreditBridge.Intake;
using KeycloakCreditBridge.Intake.Polling;

namespace KeycloakCreditBridge.Tests.Intake;

public sealed class IntakeOptionsTests
{
    [Fact]
    public void The_defaults_are_valid() => Assert.True(new IntakeOptionsValidator().Validate(null, new IntakeOptions()).Succeeded);

    [Fact]
    public void Every_problem_is_named_with_its_key_and_remedy()
    {
        var options = new IntakeOptions
        {
            Webhook = new WebhookOptions { MaxBodyBytes = 10 },
            Poll = new PollOptions
            {
                IdleInterval = TimeSpan.FromHours(2),
                BusyInterval = TimeSpan.FromHours(3),
                Overlap = TimeSpan.FromSeconds(30),
                SweepInterval = TimeSpan.Zero,
                PageSize = 1,
            },
        };
        var failures = new IntakeOptionsValidator().Validate(null, options).Failures!.ToList();
        Assert.Equal(
            ["Webhook:MaxBodyBytes", "Poll:BusyInterval", "Poll:IdleInterval", "Poll:Overlap", "Poll:SweepInterval", "Poll:PageSize"],
            failures.Select(failure => failure.Split(' ')[0]["Intake:".Length..]));
        Assert.All(failures, failure => Assert.Contains(": choose ", failure, StringComparison.Ordinal));
    }

    [Fact]
    public void Polls_are_frequent_while_hints_come_and_rare_while_none_do()
    {
        var options = new PollOptions();
        var pace = new PollPace(options);
        pace.Succeeded(3);
        Assert.Equal(options.BusyInterval, pace.Pause);
        for (var poll = 0; poll < 5; poll++)
            pace.Succeeded(0);
        Assert.Equal(options.IdleInterval, pace.Pause);

        pace.Succeeded(1);
        Assert.Equal(options.BusyInterval, pace.Pause);
    }
}
