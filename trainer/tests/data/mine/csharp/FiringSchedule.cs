using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using Newtonsoft.Json;
using Kiln.Sensors;

namespace Kiln
{
    /// <summary>Heats a kiln step by step.</summary>
    public class FiringSchedule
    {
        private readonly List<FiringStep> steps = new List<FiringStep>();
        private readonly IThermometer thermometer;

        public FiringSchedule(IThermometer thermometer)
        {
            this.thermometer = thermometer ?? throw new ArgumentNullException(nameof(thermometer));
        }

        public void Add(FiringStep step)
        {
            if (steps.Count > 0 && steps.Last().EndMinute > step.StartMinute)
            {
                throw new InvalidOperationException("steps overlap");
            }
            steps.Add(step);
        }

        public FiringStep StepAt(int minute)
        {
            return steps.FirstOrDefault(step => step.Contains(minute));
        }

        public double Deviation(int minute)
        {
            var step = StepAt(minute);
            if (step == null)
            {
                return 0.0;
            }
            var target = step.TargetAt(minute);
            return thermometer.ReadCelsius() - target;
        }

        public void Save(string path)
        {
            var text = JsonConvert.SerializeObject(steps, Formatting.Indented);
            File.WriteAllText(path, text);
        }

        public static FiringSchedule Load(string path, IThermometer thermometer)
        {
            var schedule = new FiringSchedule(thermometer);
            var steps = JsonConvert.DeserializeObject<List<FiringStep>>(File.ReadAllText(path));
            foreach (var step in steps)
            {
                schedule.Add(step);
            }
            return schedule;
        }
    }
}
