using System.Runtime.CompilerServices;
using KeycloakCreditBridge.Configuration;
using KeycloakCreditBridge.Configuration.Secrets;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Tests.Configuration.Secrets;

/// <summary>Secrets of which some break a rule of the settings.</summary>
public sealed class RefusedSecretTests
{
    private const int Refused = 791;
    private const int Failed = 793;

    [Fact]
    public void A_bad_secret_holds_back_no_good_one()
    {
        using var fixture = new Fixture();
        fixture.Write("Door", "door-two");
        fixture.Write("Window", "bad");
        fixture.Rotation.Refresh();
        Assert.Equal(("door-two", "window-one"), fixture.InUse);

        fixture.Write("Window", "window-two");
        fixture.Rotation.Refresh();
        Assert.Equal(("door-two", "window-two"), fixture.InUse);
    }

    [Fact]
    public void A_fault_that_was_there_before_refuses_no_secret()
    {
        using var fixture = new Fixture();
        fixture.Rules.Fault = "a file of another setting is being written";
        fixture.Write("Door", "door-two");
        fixture.Rotation.Refresh();
        Assert.Equal(("door-two", "window-one"), fixture.InUse);
    }

    [Fact]
    public void A_refused_batch_is_logged_once_and_tried_again_each_minute()
    {
        using var fixture = new Fixture();
        fixture.Rules.Refused = "door-two";
        fixture.Write("Door", "door-two");
        fixture.Rotation.Refresh();
        fixture.Clock.Advance(TimeSpan.FromMinutes(1));
        fixture.Rotation.Refresh();
        Assert.Single(fixture.Log.EventIds, Refused);

        fixture.Rules.Refused = "";
        fixture.Rotation.Refresh();
        Assert.Equal(("door-one", "window-one"), fixture.InUse);
        fixture.Clock.Advance(TimeSpan.FromMinutes(1));
        fixture.Rotation.Refresh();
        Assert.Equal(("door-two", "window-one"), fixture.InUse);
    }

    [Fact]
    public void A_refused_secret_that_comes_with_another_one_is_tried_at_once()
    {
        using var fixture = new Fixture();
        fixture.Rules.Refused = "door-two";
        fixture.Write("Door", "door-two");
        fixture.Rotation.Refresh();
        fixture.Rules.Refused = "";
        fixture.Write("Window", "window-two");
        fixture.Rotation.Refresh();
        Assert.Equal(("door-two", "window-two"), fixture.InUse);
    }

    [Fact]
    public void A_rule_that_throws_changes_nothing_and_is_logged_once()
    {
        using var fixture = new Fixture();
        fixture.Rules.Error = new IOException("the disk is away");
        fixture.Write("Door", "door-two");
        fixture.Rotation.Refresh();
        fixture.Rotation.Refresh();
        Assert.Equal(("door-one", "window-one"), fixture.InUse);
        Assert.Single(fixture.Log.EventIds, Failed);
        Assert.True(fixture.Log.Says("the disk is away"));

        fixture.Rules.Error = null;
        fixture.Rotation.Refresh();
        Assert.Equal(("door-two", "window-one"), fixture.InUse);
    }

    // Processes that other tests start meanwhile take the variables with them: the section is none of the bridge's, and the files stay.
    private sealed class Fixture : IDisposable
    {
        private readonly string _folder;
        private readonly IHost _host;

        public Fixture([CallerMemberName] string test = "")
        {
            _folder = Directory.CreateDirectory(Path.Combine(AppContext.BaseDirectory, "refused-secrets", test)).FullName;
            Write("Door", "door-one");
            Write("Window", "window-one");
            var builder = Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings());
            SetVariables(name => Path.Combine(_folder, name));
            builder.Configuration.Sources.Add(new SecretFileSource());
            SetVariables(_ => null);
            builder.Services.AddSingleton<TimeProvider>(Clock);
            builder.Services.AddSingleton(Rules);
            builder.Services.AddSingleton<ILoggerProvider>(Log);
            builder.Services.AddSingleton<SecretRotation>();
            builder.AddSection<TurnstileOptions, TurnstileValidator>("Turnstile");
            _host = builder.Build();
            Assert.Equal(("door-one", "window-one"), InUse);
        }

        public ManualTimeProvider Clock { get; } = new();

        public TurnstileRules Rules { get; } = new();

        public LogLines Log { get; } = new();

        public SecretRotation Rotation => _host.Services.GetRequiredService<SecretRotation>();

        public (string Door, string Window) InUse
        {
            get
            {
                var options = _host.Services.GetRequiredService<IOptions<TurnstileOptions>>().Value;
                return (options.Door, options.Window);
            }
        }

        public void Write(string name, string text) => File.WriteAllText(Path.Combine(_folder, name), text + "\n");

        public void Dispose() => _host.Dispose();

        private static void SetVariables(Func<string, string?> file)
        {
            foreach (var name in new[] { "Door", "Window" })
                Environment.SetEnvironmentVariable($"Turnstile__{name}_FILE", file(name));
        }
    }

    private sealed class TurnstileOptions
    {
        public string Door { get; set; } = "";

        public string Window { get; set; } = "";
    }

    private sealed class TurnstileRules
    {
        public string Refused { get; set; } = "";

        public string? Fault { get; set; }

        public Exception? Error { get; set; }
    }

    private sealed class TurnstileValidator(TurnstileRules rules) : IValidateOptions<TurnstileOptions>
    {
        public ValidateOptionsResult Validate(string? name, TurnstileOptions options)
        {
            if (rules.Error is { } error)
                throw error;
            List<string> problems = [];
            if (rules.Fault is { } fault)
                problems.Add(fault);
            if (options.Door == rules.Refused)
                problems.Add("Turnstile:Door is refused.");
            if (options.Window == "bad")
                problems.Add("Turnstile:Window is bad.");
            return problems.Count > 0 ? ValidateOptionsResult.Fail(problems) : ValidateOptionsResult.Success;
        }
    }
}
