using System.Reflection;
using KeycloakCreditBridge.Operations;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Configuration;

/// <summary>Finds everything that is wrong with the configuration at once, before anything is started with it.</summary>
internal static class ConfigurationCheck
{
    /// <summary>Checks all sections of the bridge, or only those named.</summary>
    /// <returns>One line for each problem, beginning with the key; none when the configuration can be used.</returns>
    public static IReadOnlyList<string> Problems(IServiceProvider services, params IReadOnlyCollection<string> only)
    {
        var configuration = services.GetRequiredService<IConfiguration>();
        var all = services.GetServices<BoundSection>().ToList();
        List<string> problems = [.. MisspelledSections(configuration, all)];
        foreach (var section in all.Where(section => only.Count == 0 || only.Contains(section.Name)))
        {
            var shape = new SectionShape(all).Problems(configuration.GetSection(section.Name), section.Type);
            problems.AddRange(shape.Select(problem => problem.Text));
            // Values that do not convert cannot be bound, so there is nothing yet that the section's own rules could look at.
            if (!shape.Any(problem => problem.PreventsBinding))
                problems.AddRange(BrokenRules(services, section.Type));
        }

        if (LogsModule.Problem(configuration) is { } logs)
            problems.Add(logs);
        return problems;
    }

    /// <exception cref="ConfigurationException">Something is wrong.</exception>
    public static void Run(IServiceProvider services, params IReadOnlyCollection<string> only)
    {
        if (Problems(services, only) is { Count: > 0 } problems)
            throw new ConfigurationException(problems);
    }

    // Other programs' variables share the environment, so only what is nearly the name of a section is taken for one.
    private static IEnumerable<string> MisspelledSections(IConfiguration configuration, IReadOnlyCollection<BoundSection> sections)
    {
        var names = sections.Select(section => section.Name).ToList();
        return
            from child in configuration.GetChildren()
            where child.GetChildren().Any() && !names.Contains(child.Key, StringComparer.OrdinalIgnoreCase)
            let meant = NearestKey.Of(child.Key, names)
            where meant is not null
            select $"{child.Key} is not a section of the configuration: did you mean {meant}?";
    }

    private static IReadOnlyList<string> BrokenRules(IServiceProvider services, Type type)
    {
        try
        {
            var options = typeof(IOptions<>).MakeGenericType(type);
            options.GetProperty(nameof(IOptions<>.Value))!.GetValue(services.GetRequiredService(options));
            return [];
        }
        catch (TargetInvocationException exception) when (exception.InnerException is OptionsValidationException validation)
        {
            return [.. validation.Failures];
        }
    }
}
